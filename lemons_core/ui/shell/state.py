"""Every key of a visitor's session that a page sets by hand, each with the name of its page.

Widgets whose key is bound to the address are not here: there the key is the parameter's name, and part of every link.
"""

ENTERED = "shell_entered"  # app.py's navigation has run

SHELL_DATA = "shell_data"  # the data in use: a key of source.choices
SHELL_DATA_BOX = "shell_data_box"  # the widget that chooses it

SCAN_UPLOADS = "scan_uploads"  # the visitor's pictures
SCAN_UPLOAD_ROUND = "scan_upload_round"  # counts up: a new key empties the uploader
SCAN_UPLOAD_FAULTS = "scan_upload_faults"  # what was wrong with whole uploads
SCAN_CHOSEN = "scan_chosen"  # of several pictures the one to show; the newest when it has just come
SCAN_SHOWN = "scan_shown"  # the picture shown last
SCAN_FORCED = "scan_forced"  # refused pictures to go on with
SCAN_JOBS = "scan_jobs"  # analyses, done and under way
SCAN_KIND = "scan_kind"
SCAN_SPACING = "scan_spacing"
SCAN_SAMPLE_GROUP = "scan_sample_group"
SCAN_SAMPLE = "scan_sample_"  # and the group
SCAN_WINDOW_WIDTH = "scan_window_width"
SCAN_WINDOW_LEVEL = "scan_window_level"
SCAN_SHOWN_FROM = "scan_shown_from_"  # and "view" or "crop"
SCAN_HEAT_CLASS = "class"  # in the address
SCAN_HEAT_LAYER = "scan_heat_layer"
SCAN_HEAT_OPACITY = "scan_heat_opacity"
SCAN_HEAT_ON_VIEW = "scan_heat_on_view"
SCAN_HEAT_TRUST = "scan_heat_trust"

CASE_ALL = "case_all"  # step through cases without images as well
CASE_FETCHED = "case_fetched"  # images that this visitor asked for, so that a page change does not hide the progress
CASE_WINDOW_WIDTH = "case_window_width"
CASE_WINDOW_LEVEL = "case_window_level"

DATASET_CLICKS = "dataset_clicks"  # counts up: a chart forgets its selection
DATASET_FAULT = "dataset_fault"

RELABEL_RULES = "relabel_rules"  # the visitor's table of rules as CSV text; absent: the product's own
RELABEL_RULES_VERSION = "relabel_rules_version"
RELABEL_WITH_MODEL = "relabel_with_model"  # the image model's doubts are wanted among the suspects
RELABEL_DIVIDE = "relabel_divide"

NOTES_TEXT = "notes_text"
NOTES_MORPHOLOGY = "notes_morphology"
NOTES_DISTRIBUTION = "notes_distribution"
NOTES_GRADE = "notes_"  # and the name of the grade
NOTES_THRESHOLD = "notes_threshold"
NOTES_DESCRIPTOR = "notes_descriptor"
NOTES_COMPARED = "notes_compared_"  # and the data root
NOTES_PROTOCOL = "notes_protocol"
NOTES_ROWS = "notes_rows"
NOTES_UNIT = "notes_unit_"  # and how many units there are

TRAINING_FAULT = "training_fault"  # why the last click did not do what it says
TRAINING_REQUESTED = "training_requested"  # what was asked for, so that a page change does not hide its progress
TRAINING_CALIBRATION = "training_calibration"
TRAINING_OUTLINED = "training_outlined"
TRAINING_RUN = "training_run_"  # and the setting of a new run
TRAINING_CURVE = "training_curve"
