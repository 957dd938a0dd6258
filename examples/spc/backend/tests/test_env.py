import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.fixture(autouse=True)
def neither_is_set(monkeypatch):
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    monkeypatch.delenv("DB_PASSWORD_FILE", raising=False)


def test_a_secret_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "direct")
    assert env.secret("DB_PASSWORD") == "direct"


def test_the_file_wins_and_its_last_newline_does_not_count(monkeypatch, tmp_path):
    (tmp_path / "password").write_text("from file\n")
    monkeypatch.setenv("DB_PASSWORD", "direct")
    monkeypatch.setenv("DB_PASSWORD_FILE", str(tmp_path / "password"))
    assert env.secret("DB_PASSWORD") == "from file"


def test_no_secret_at_all_is_an_error_that_names_both_ways():
    with pytest.raises(ImproperlyConfigured, match="DB_PASSWORD_FILE.*DB_PASSWORD"):
        env.secret("DB_PASSWORD")


def test_a_missing_file_is_an_error_even_with_the_variable_set(monkeypatch, tmp_path):
    monkeypatch.setenv("DB_PASSWORD", "direct")
    monkeypatch.setenv("DB_PASSWORD_FILE", str(tmp_path / "absent"))
    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        env.secret("DB_PASSWORD")


@pytest.mark.parametrize(("value", "expected"), [("True", True), ("1", True), ("false", False), ("", True)])
def test_booleans(monkeypatch, value, expected):
    monkeypatch.setenv("DEBUG", value)
    assert env.boolean("DEBUG", default=True) is expected


def test_a_boolean_that_is_none_is_an_error(monkeypatch):
    monkeypatch.setenv("DEBUG", "maybe")
    with pytest.raises(ImproperlyConfigured, match="DEBUG is 'maybe'"):
        env.boolean("DEBUG", default=False)


def test_words_are_trimmed(monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", " localhost, backend ,")
    assert env.words("ALLOWED_HOSTS", "") == ["localhost", "backend"]


def test_a_whole_number(monkeypatch):
    monkeypatch.setenv("INSPECTORS", " 3 ")
    assert env.integer("INSPECTORS", default=1, smallest=1, largest=9) == 3
    monkeypatch.setenv("INSPECTORS", "")
    assert env.integer("INSPECTORS", default=1, smallest=1, largest=9) == 1


@pytest.mark.parametrize("value", ["0", "10", "-1", "1.5", "many", "²"])
def test_a_number_that_is_none_is_an_error(monkeypatch, value):
    monkeypatch.setenv("INSPECTORS", value)
    with pytest.raises(ImproperlyConfigured, match=f"INSPECTORS is '{value}'; it is a whole number from 1 to 9"):
        env.integer("INSPECTORS", default=1, smallest=1, largest=9)
