"""Text on pictures fits its room."""

from __future__ import annotations

from swiftreid.figures.lettering import fitted, font, wrapped


def test_texts_fit_their_room() -> None:
    assert fitted("short", 200, 14) == "short"
    assert font(14).getlength(fitted("a text much too long for its room", 80, 14)) <= 80
    assert wrapped("camera 1\nperson 12", 90, 12, 2) == ["camera 1", "person 12"]
    assert wrapped("camera 1 person 12", 90, 12, 2) == ["camera 1", "person 12"]
    assert wrapped("", 90, 12, 2) == []
    assert len(wrapped("one two three four five six", 30, 12, 2)) == 2
