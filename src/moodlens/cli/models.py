"""`moodlens models`: list, fetch, inspect, verify, publish and prune models."""

from __future__ import annotations

import json

import typer

command = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="List, fetch, inspect, verify, publish and prune models.",
    epilog="A SPEC is a name, a path, https://…, gdrive:ID or share link, hf:OWNER/REPO/FILE, "
    "s3://… or gs://…",
)


@command.command("list")
def list_models(
    as_json: bool = typer.Option(False, "--json", help="JSON on standard output."),
) -> None:
    """The models that are known by name, and where each one is."""
    from moodlens.artifacts import find_model, registry

    rows = [
        {
            "name": entry.name,
            "kind": entry.kind,
            "path": str(path) if (path := find_model(entry.name)) else None,
            "licence": entry.licence,
            "source": entry.source,
        }
        for entry in registry().values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "kind", "here", "licence", "source", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        here = "yes" if row["path"] else "no"
        table.add_row(row["name"], row["kind"], here, row["licence"], row["source"])
    Console().print(table)


@command.command(
    epilog="Examples: moodlens models fetch yunet   |   moodlens models fetch gdrive:ID"
)
def fetch(spec: str = typer.Argument(help="A registry name or SPEC.")) -> None:
    """Bring a model into the cache and print its path."""
    from moodlens.artifacts import registry, resolve_model
    from moodlens.artifacts.places import sha256_of

    entry = registry().get(spec)
    path = resolve_model(spec, kind=entry.kind if entry else "emotion")
    typer.echo(f"sha256 {sha256_of(path)}", err=True)
    typer.echo(path)


@command.command()
def info(
    spec: str = typer.Argument("moodlens-default", help="A registry name or SPEC."),
) -> None:
    """The card of a model, as JSON."""
    from moodlens.artifacts import registry, resolve_model
    from moodlens.artifacts.places import sha256_of

    entry = registry().get(spec)
    if entry is not None and entry.kind == "detector":
        typer.echo(json.dumps(entry.model_dump(mode="json"), indent=2))
        return
    from moodlens.recognition.classifier import Classifier

    path = resolve_model(spec)
    card = Classifier(path).info.model_dump(mode="json")
    where = {"path": str(path), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
    typer.echo(json.dumps({**where, **card}, indent=2, ensure_ascii=False))


@command.command()
def verify() -> None:
    """Check every file in the cache against its hash, and that every packaged model runs."""
    from moodlens.artifacts import cache_dir, find_model, registry
    from moodlens.artifacts.download import recorded_hash
    from moodlens.artifacts.places import sha256_of
    from moodlens.errors import ModelError
    from moodlens.recognition.classifier import open_session

    wrong = 0
    for entry in registry().values():
        path = find_model(entry.name)
        if path is None:
            typer.echo(f"absent  {entry.name}")
            continue
        try:
            if entry.sha256 is not None and sha256_of(path) != entry.sha256:
                raise ModelError(f"{path}: its bytes are not those that the registry names")
            open_session(path, 1)
            typer.echo(f"good    {entry.name}  {path}")
        except ModelError as error:
            wrong += 1
            typer.echo(f"WRONG   {error}")
    for path in sorted(cache_dir().glob("*.model")) if cache_dir().is_dir() else []:
        good = recorded_hash(path) == sha256_of(path)
        wrong += not good
        typer.echo(f"{'good ' if good else 'WRONG'}   {path}")
    if wrong:
        raise typer.Exit(1)


@command.command(
    epilog="Examples: moodlens models publish site/models --model run.onnx --name ours "
    "--address https://example.org/models   |   moodlens models publish s3://bucket/models"
)
def publish(
    target: str = typer.Argument(metavar="DIR|s3://…", help="A folder or a bucket's address."),
    model: str = typer.Option("moodlens-default", help="A registry name or SPEC."),
    name: str | None = typer.Option(None, help="Default: the name on the model's card."),
    address: str | None = typer.Option(None, help="Where TARGET is served; default: TARGET."),
    replace: bool = typer.Option(False, help="Take the place of another model of that name."),
) -> None:
    """Write a model, its card and a registry entry, ready to host; print the entry."""
    from moodlens.artifacts import resolve_model
    from moodlens.artifacts.publish import entry_text
    from moodlens.artifacts.publish import publish as write
    from moodlens.recognition.classifier import Classifier

    path = resolve_model(model)
    card = Classifier(path).info.model_dump(mode="json")
    entry = write(
        path, target, name=name or card["name"], card=card, address=address, replace=replace
    )
    typer.echo(entry_text(entry), nl=False)
    if address is None and "://" not in target:
        typer.echo(
            "the entry's address is this folder; say where it is served: --address", err=True
        )


@command.command()
def prune(
    yes: bool = typer.Option(False, "--yes", help="Delete; without it, only say how much."),
) -> None:
    """Say how large the cache is, and empty it."""
    from moodlens.artifacts import cache_dir

    found = [p for p in cache_dir().glob("*") if p.is_file()] if cache_dir().is_dir() else []
    size = sum(p.stat().st_size for p in found) / 1e6
    typer.echo(f"{cache_dir()}: {len(found)} files, {size:.1f} MB")
    if yes:
        for path in found:
            path.unlink(missing_ok=True)
        typer.echo("emptied")
    elif found:
        typer.echo("add --yes to empty it")
