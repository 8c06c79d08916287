"""The script that `moodlens app` hands to Streamlit."""

from moodlens.webapp.main import main

main()
