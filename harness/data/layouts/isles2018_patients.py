"""Which cases of ISLES 2018 may show the same patient.

A case of ISLES 2018 is a slab of the brain. The 94 training cases come from 63 patients, some of
whom have two slabs, neighbouring in number; the organisers' own table of cases and patients is not
in the archive. What stands here is conservative instead: consecutive cases whose headers agree in
shape, voxel size and number of time points form one group. Two slabs of a patient never end up in
different groups as long as they are neighbours, as the organisers' example is (``Train_40_A`` and
``Train_40_B``, cases 64 and 65). Some of the 50 groups hold several patients, which costs a little
freedom in splitting and no leak.

Source: the headers of all 94 training cases as printed in a public notebook on the archive, read in
the order of the case numbers.
"""

from bisect import bisect_right

CASES = 94
"""Number of training cases in the archive."""

GROUPS: tuple[tuple[int, int], ...] = (
    (1, 6),
    (7, 8),
    (9, 9),
    (10, 17),
    (18, 22),
    (23, 24),
    (25, 25),
    (26, 27),
    (28, 29),
    (30, 30),
    (31, 31),
    (32, 33),
    (34, 35),
    (36, 37),
    (38, 40),
    (41, 42),
    (43, 43),
    (44, 44),
    (45, 46),
    (47, 48),
    (49, 50),
    (51, 52),
    (53, 54),
    (55, 56),
    (57, 58),
    (59, 60),
    (61, 61),
    (62, 63),
    (64, 65),
    (66, 67),
    (68, 68),
    (69, 69),
    (70, 71),
    (72, 73),
    (74, 74),
    (75, 77),
    (78, 79),
    (80, 80),
    (81, 81),
    (82, 83),
    (84, 84),
    (85, 85),
    (86, 86),
    (87, 87),
    (88, 88),
    (89, 89),
    (90, 90),
    (91, 92),
    (93, 93),
    (94, 94),
)
"""First and last case number of every group, in order; together they cover 1 to :data:`CASES`."""

_FIRSTS = [first for first, _ in GROUPS]


def group_of(number: int) -> tuple[int, int]:
    """Return the first and the last case number of a case's group.

    Beyond the archive's cases, as simulations have them, the table repeats: 95 takes the place of 1.

    Args:
        number: Case number, from 1 (``case_1``).

    Raises:
        ValueError: if ``number`` is below 1 (a programming error, not user input).
    """
    if number < 1:
        raise ValueError(f"ISLES 2018 numbers its cases from 1 (got {number})")
    lap, position = divmod(number - 1, CASES)
    first, last = GROUPS[bisect_right(_FIRSTS, position + 1) - 1]
    return first + lap * CASES, last + lap * CASES


def patient_of(number: int) -> str:
    """Return the name of the group that stands for a case's patient: ``"64-65"``, or ``"9"`` if alone.

    Groups of later laps of the table are named by their own numbers, so all names differ
    (``"95-100"`` takes the place of ``"1-6"``).

    Args:
        number: Case number, from 1 (``case_1``).

    Raises:
        ValueError: if ``number`` is below 1.

    Example:
        >>> patient_of(64), patient_of(65), patient_of(9), patient_of(95)
        ('64-65', '64-65', '9', '95-100')
    """
    first, last = group_of(number)
    return str(first) if first == last else f"{first}-{last}"
