"""What a log hears of a run before its first networks have trained for a while."""

import pytest

from manyfit.cli.progress import Watcher


@pytest.mark.parametrize(("quiet", "said"), [(False, "compiling\n"), (True, "")])
def test_a_log_is_told_of_the_compilation_unless_quiet(capsys, quiet, said):
    with Watcher(quiet):
        assert capsys.readouterr().err == said
    assert capsys.readouterr() == ("", "")
