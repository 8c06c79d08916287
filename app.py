"""What `streamlit run` and hosted Streamlit start."""

import sys
from pathlib import Path

try:
    import moodlens  # noqa: F401
except ModuleNotFoundError:  # a hosted clone, where only the requirements are installed
    sys.path.insert(0, str(Path(__file__).parent / "src"))

from moodlens.webapp.main import main

main()
