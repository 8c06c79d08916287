#!/bin/sh
# Compile the pinned, hashed requirements from pyproject.toml. Needs uv. Run it from the root.
set -eu
compile() {
    output=$1
    shift
    uv pip compile --quiet pyproject.toml "$@" --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file "$output"
}
all="--extra video --extra app --extra train --extra serve --extra cloud --extra cluster --extra postgres --extra dev"
# One resolution for everything; the smaller sets are cut from it, so that they agree.
compile requirements/dev.txt $all
compile requirements/base.txt --constraints requirements/dev.txt
for extra in app train serve cluster; do
    compile "requirements/$extra.txt" --extra "$extra" --constraints requirements/dev.txt
done
