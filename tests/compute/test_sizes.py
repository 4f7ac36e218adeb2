"""What a size means on an engine."""

from studio.compute.sizes import GIB, SHIPPED, Capacity, Size, refusal, share_of

SMALL = Capacity("this machine", 2, 24 * GIB)
TABLE = {size.name: size for size in SHIPPED}


def test_the_sizes_that_existing_scripts_name_are_there():
    wanted = {"STANDARD_D2_V2", "STANDARD_DS11_V2", "STANDARD_NC6", "STANDARD_DS3_V2", "STANDARD_DS12_V2"}
    assert wanted <= set(TABLE)
    assert len(TABLE) == len(SHIPPED), "no name twice"


def test_a_size_that_fits_is_given_whole():
    share = share_of(TABLE["STANDARD_D2_V2"], SMALL, 2)
    assert (share.cpus, share.memory_bytes, share.gpus, share.note) == (2, 7 * GIB, 0, "")


def test_a_size_larger_than_the_engine_is_cut_and_says_so():
    share = share_of(TABLE["STANDARD_D14_V2"], SMALL, 4)
    assert share.cpus == 2
    assert share.memory_bytes * 4 <= 24 * GIB
    assert share.note == (
        "On this machine a node of STANDARD_D14_V2 gets 2 cores instead of 16 cores and 5.4 GiB of memory instead of "
        "112 GiB."
    )


def test_gpus_that_are_not_there_are_refused_with_what_to_do():
    assert refusal(TABLE["STANDARD_NC6"], SMALL, 1) == (
        "STANDARD_NC6 has 1 GPU; this machine has none. Choose a size without GPUs, fewer nodes or another machine."
    )
    two = Capacity("gpu box", 32, 128 * GIB, gpus=2)
    assert refusal(TABLE["STANDARD_NC6"], two, 2) == ""
    assert "3 nodes need 3; gpu box has 2" in refusal(TABLE["STANDARD_NC6"], two, 3)


def test_a_node_too_small_to_start_anything_is_refused():
    tiny = Capacity("a board", 1, GIB)
    assert refusal(Size("S", 1, 1), tiny, 2) == ""
    assert "at least 256 MiB" in refusal(Size("S", 1, 1), tiny, 10)
