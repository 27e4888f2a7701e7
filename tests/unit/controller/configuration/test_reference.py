"""The commented settings file says what the settings are, and changes nothing."""

import re
import tomllib
from pathlib import Path

from controller.configuration.loading import load_configuration
from controller.configuration.reference import is_reloaded, reference
from controller.settings import Settings

SHIPPED = Path(__file__).parents[4] / "config" / "golive.toml"


def uncommented(text):
    """With every default set; files of secrets are left out."""
    lines = re.findall(r"^# ([a-z0-9_]+ = .*)$", text, re.MULTILINE)
    return "\n".join(line for line in lines if line.split()[0] in Settings.model_fields)


def test_the_shipped_file_is_what_golive_config_prints():
    assert SHIPPED.read_text() == reference(), "golive config > config/golive.toml"


def test_as_it_is_it_sets_nothing():
    assert tomllib.loads(reference()) == {}


def test_every_default_may_be_written_out(tmp_path):
    path = tmp_path / "golive.toml"
    path.write_text(uncommented(reference()))
    found = load_configuration(path, {})
    assert found.model_dump() == Settings().model_dump()
    assert found.model_fields_set == set(Settings.model_fields)


def test_every_setting_is_explained_and_marked_when_it_is_reloaded():
    text = reference()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        block = next(b for b in text.split("\n\n") if re.search(rf"^# {name} = ", b, re.MULTILINE))
        said = " ".join(line.removeprefix("# ") for line in block.splitlines())
        assert " ".join(field.description.split()) in said
        assert ("(reload)" in said) == is_reloaded(field), name


def test_given_values_are_set():
    values = {"data_dir": "/var/lib/golive", "cors_origins": ['a"b', "c"], "spool": False}
    assert tomllib.loads(reference(values)) == values
