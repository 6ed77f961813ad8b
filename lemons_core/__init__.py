"""Know Your Lemons: breast calcifications in mammograms, read honestly.

Importing this package loads neither torch nor xgboost nor streamlit; each lives behind the module that needs it.
"""

__version__ = "0.1.0"
