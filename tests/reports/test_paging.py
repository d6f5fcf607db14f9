"""Pages of a figure: how many panels each holds, and what they are called."""

from reports.figures.paging import PAGE_HEIGHT, dataset_name, page_name, pages, rows_on_page


def test_panels_are_spread_evenly_over_as_few_pages_as_hold_them() -> None:
    found = pages(list(range(10)), 6)
    assert [page.panels for page in found] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert [len(page.panels) for page in pages(list(range(9)), 4)] == [3, 3, 3]
    assert [page.panels for page in pages(["alone"], 1)] == [["alone"]]


def test_only_pages_of_several_are_numbered() -> None:
    (alone,) = pages(["a"], 4)
    assert (alone.name("ranks"), alone.title("Ranks")) == ("ranks", "Ranks")
    first, second = pages(["a", "b"], 1)
    assert (first.name("ranks"), first.title("Ranks")) == ("ranks_1", "Ranks, 1 of 2")
    assert second.name("ranks") == "ranks_2"
    assert page_name(page_name("forest", 2, 2), 1, 3) == "forest_2_1"


def test_only_datasets_of_several_are_named() -> None:
    assert dataset_name("scores", "acdc", 1) == "scores"
    assert dataset_name("scores", "acdc", 2) == "scores_acdc"


def test_a_page_holds_one_row_however_tall() -> None:
    assert rows_on_page(2 * PAGE_HEIGHT) == 1
    assert rows_on_page(PAGE_HEIGHT / 3) == 3
    assert rows_on_page(PAGE_HEIGHT / 3, 0.5) == 2
