"""What the pages share. Streamlit is seen here and in the pages only; this file stays empty for the worker's sake."""
