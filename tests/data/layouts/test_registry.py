"""What all layouts have in common."""

from pathlib import Path

import pytest

from harness.data.description import catalogue
from harness.data.layouts import LAYOUTS, find_cases, natural_order
from harness.errors import InputError


def test_natural_order_compares_numbers_as_numbers() -> None:
    names = ["case_10", "case_2", "a", "case_02", "10", "9b", "case"]
    assert sorted(names, key=natural_order) == ["9b", "10", "a", "case", "case_02", "case_2", "case_10"]


def test_every_dataset_of_the_catalogue_has_a_layout() -> None:
    assert {description.layout for description in catalogue().values()} <= set(LAYOUTS)
    assert all(entry.expects for entry in LAYOUTS.values())


def test_unknown_layout_is_refused_with_a_hint(tmp_path: Path) -> None:
    description = catalogue()["wmh2017"].model_copy(update={"layout": "decatlon"})
    with pytest.raises(InputError, match="unknown layout 'decatlon'; did you mean 'decathlon'"):
        find_cases(tmp_path, description)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_empty_folder_is_refused_with_what_belongs_there(tmp_path: Path, name: str) -> None:
    description = catalogue()[name]
    with pytest.raises(InputError, match=rf"dataset '{name}': no case in .*; expected .* there"):
        find_cases(tmp_path, description)
