"""The files that people really have: built, loaded and checked, one row each."""

import pytest

pytest.register_assert_rewrite("tests.files.outcomes")
