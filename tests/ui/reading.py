"""What an app under test shows."""


def titles(app):
    return [element.value for element in app.subheader]


def words(app):
    boxes = [*app.error, *app.warning, *app.info, *app.caption, *app.markdown]
    return " ".join(str(element.value) for element in boxes)


def greyed(app):
    return any("opacity: 0.4" in element.proto.body for element in app.get("html"))
