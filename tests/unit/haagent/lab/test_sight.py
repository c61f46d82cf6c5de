"""What the laboratory concludes from a client's answers."""

from haagent.lab.sight import Sight, Sort


def sight_of(answers: list[tuple[float, str]], sort: Sort = Sort.ICMP) -> Sight:
    sight = Sight()
    for at, owner in answers:
        sight.add(sort, at, owner)
    return sight


def test_gap_begins_with_the_last_answer_before_the_fault() -> None:
    sight = sight_of([(0.0, "a"), (1.0, "a"), (1.3, "b"), (1.31, "b")])
    gap = sight.gap(Sort.ICMP, 1.1, 1.4)
    assert (gap.start, gap.end, gap.before, gap.after) == (1.0, 1.3, "a", "b")


def test_gap_is_open_when_nothing_came_back() -> None:
    sight = sight_of([(0.0, "a"), (1.0, "a")])
    assert sight.gap(Sort.ICMP, 1.1, 2.0).length is None


def test_gap_is_open_when_there_was_never_an_answer() -> None:
    assert Sight().gap(Sort.SIP, 1.0, 2.0).length is None


def test_gap_ignores_a_hole_that_was_over_before_the_fault() -> None:
    sight = sight_of([(0.0, "a"), (5.0, "a"), (5.1, "a"), (5.2, "b"), (5.25, "b")])
    gap = sight.gap(Sort.ICMP, 5.15, 5.3)
    assert gap.length is not None
    assert abs(gap.length - 0.1) < 1e-9


def test_gap_ignores_what_came_after_the_time_looked_at() -> None:
    sight = sight_of([(1.0, "a"), (1.1, "b"), (1.15, "b"), (9.0, "b")])
    gap = sight.gap(Sort.ICMP, 1.05, 1.2)
    assert gap.length is not None
    assert abs(gap.length - 0.1) < 1e-9


def test_switched_is_the_first_answer_of_the_other_node() -> None:
    sight = sight_of([(1.0, "a"), (1.2, "a"), (1.3, "b"), (1.4, "a")], Sort.ARP)
    assert sight.switched(Sort.ARP, 1.1, "a") == 1.3
    assert sight.switched(Sort.ARP, 1.35, "a") is None


def test_who_counts_each_node_that_answered_in_the_time() -> None:
    sight = sight_of([(1.0, "a"), (1.2, "b"), (1.3, "a"), (2.0, "b")], Sort.ARP)
    assert sight.who(Sort.ARP, 1.1, 1.5) == {"a", "b"}
    assert sight.who(Sort.ARP, 1.25, 1.5) == {"a"}


def test_stalled_is_the_longest_time_the_probe_could_not_look() -> None:
    sight = sight_of([(1.0, "0.006"), (1.2, "0.02"), (3.0, "0.5")], Sort.STALL)
    assert sight.stalled(0.0, 2.0) == 0.02
    assert sight.stalled(2.0, 2.5) == 0.0


def test_moved_is_the_first_answer_of_any_sort_by_another_node() -> None:
    sight = sight_of([(1.0, "a"), (1.31, "b")], Sort.ARP)
    sight.add(Sort.ICMP, 1.2, "a")
    sight.add(Sort.ICMP, 1.302, "b")
    sight.add(Sort.STALL, 1.1, "0.006")
    assert sight.moved(1.05, "a") == 1.302
    assert sight.moved(1.4, "a") is None


def test_last_answer_of_a_node_before_a_time() -> None:
    sight = sight_of([(1.0, "a"), (1.2, "b"), (1.3, "a")])
    assert sight.last(Sort.ICMP, "a", 1.25) == 1.0
    assert sight.last(Sort.ICMP, "b", 1.1) is None
