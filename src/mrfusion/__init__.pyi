# What editors and type checkers know of the public face; tests/house/test_public.py holds it to __init__.py.
from mrfusion.case import Region as Region
from mrfusion.command.study import run_study as run_study
from mrfusion.errors import MrFusionError as MrFusionError
from mrfusion.families import list_choices as list_choices
from mrfusion.finished_run.load import read_run as read_run
from mrfusion.finished_run.predict import predict as predict
from mrfusion.outside.judge import compare as compare
from mrfusion.rules import rule_named as rule_named
from mrfusion.scoring.folders import evaluate as evaluate
from mrfusion.scoring.masks import score_case as score_case
from mrfusion.study.design import read_study as read_study
from mrfusion.study.load import load_study as load_study

__version__: str
