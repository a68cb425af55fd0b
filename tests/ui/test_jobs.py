"""What takes long becomes a job, and the page that lists jobs."""

import pytest

from dqviz.jobs import book as book_module
from dqviz.ui import jobs, request, visitor
from tests.experiments.waiting import until
from tests.ui.fake_engine import BAD_DATA, SLOW
from tests.ui.reading import titles, words


@pytest.fixture
def impatient(monkeypatch):
    """Everything that is not there at once takes long."""
    monkeypatch.setattr(request, "LONG_SECONDS", 0.0)


@pytest.fixture
def one_visitor(monkeypatch):
    """Every session is that of the same visitor."""
    monkeypatch.setattr(visitor, "user", lambda: "a" * 32)
    return "a" * 32


def go(app, name):
    return app.switch_page(f"../../pages/{name}.py").run()


def listed(user):
    return [(view.state, view.record.title) for view in jobs.book().jobs(user)]


def test_without_a_job_the_page_says_what_one_is(open_page):
    app = open_page("jobs")
    assert not app.exception
    assert "You have no job" in words(app)
    assert "At most 2 jobs are computed at once" in words(app)
    assert "10.0 GB of memory" in words(app)


def test_what_is_there_at_once_is_no_job(open_page, one_visitor, impatient):
    app = open_page("amplification")
    assert titles(app) == ["Distance by layer"]
    assert listed(one_visitor) == []


@pytest.mark.usefixtures("impatient")
def test_what_takes_long_is_a_job_that_outlives_its_page(open_page, engine, one_visitor):
    app = open_page("amplification", seed=SLOW)
    (job,) = listed(one_visitor)
    assert job == (
        "running",
        # The first page asks for the same.
        "Overview: streetdigits/resnet20/vanilla, streetdigits/resnet20/dq, W8 A4, "
        "FGSM 0.125/255 to 8/255, 64 images",
    )
    assert set(engine.jobs) <= set(engine.asked)
    go(app, "glossary")
    assert listed(one_visitor) == [job]
    go(app, "jobs")
    assert "At work" in words(app)
    assert "Crafting the perturbation" in str(app.get("progress")[0].proto)
    engine.finish_slow()
    until(lambda: listed(one_visitor) == [("done", job[1])])
    app.run()
    assert "Done" in words(app)
    assert not app.get("progress")
    (link,) = app.get("link_button")
    assert link.proto.url == f"./?seed={SLOW}"


@pytest.mark.usefixtures("impatient", "engine")
def test_a_reloaded_page_finds_its_job(open_page, one_visitor):
    open_page("amplification", seed=SLOW)
    before = jobs.book().jobs(one_visitor)
    open_page("amplification", seed=SLOW)
    assert [v.record.id for v in jobs.book().jobs(one_visitor)] == [v.record.id for v in before]


@pytest.mark.usefixtures("impatient", "engine")
def test_other_settings_of_the_view_replace_the_job_and_another_view_does_not(
    open_page, one_visitor
):
    app = open_page("amplification", seed=SLOW)
    app.select_slider(key="abits").set_value(3).run()
    assert [state for state, _ in listed(one_visitor)] == ["running", "cancelled"]
    assert "W8 A3" in listed(one_visitor)[0][1]
    go(app, "lipschitz")
    assert [state for state, _ in listed(one_visitor)] == ["running", "running", "cancelled"]


@pytest.mark.usefixtures("impatient", "engine")
def test_cancelling_on_its_page_cancels_the_job(open_page, one_visitor):
    app = open_page("amplification", seed=SLOW)
    app.button(key="cancel").click().run()
    assert [state for state, _ in listed(one_visitor)] == ["cancelled"]


@pytest.mark.usefixtures("impatient", "engine")
def test_a_job_is_cancelled_tried_again_and_removed_on_the_list(open_page, one_visitor):
    app = go(open_page("amplification", seed=SLOW), "jobs")
    (view,) = jobs.book().jobs(one_visitor)
    app.button(key=f"cancel_{view.record.id}").click().run()
    assert "Cancelled" in words(app)
    app.button(key=f"again_{view.record.id}").click().run()
    (again,) = jobs.book().jobs(one_visitor)
    assert (again.state, again.record.id == view.record.id) == ("running", False)
    app.button(key=f"cancel_{again.record.id}").click().run()
    app.button(key=f"remove_{again.record.id}").click().run()
    assert "You have no job" in words(app)


@pytest.mark.usefixtures("engine")
def test_a_job_that_failed_says_why(open_page, one_visitor):
    wanted = open_page("amplification", seed=BAD_DATA).session_state["_request"].lookup.specs
    address = ("amplification", (("seed", str(BAD_DATA)),))
    jobs.book().add_page(one_visitor, title="a job", address=address, specs=wanted)
    until(lambda: listed(one_visitor) == [("failed", "a job")])
    app = open_page("jobs")
    assert "Failed" in words(app)
    assert "there are no images" in words(app)


@pytest.mark.usefixtures("impatient", "engine")
def test_jobs_of_others_are_counted_and_not_shown(open_page, one_visitor, monkeypatch):
    open_page("amplification", seed=SLOW)
    monkeypatch.setattr(visitor, "user", lambda: "b" * 32)
    app = open_page("jobs")
    assert "Of others, 1 at work and 0 waiting" in words(app)
    assert "resnet20" not in words(app)


@pytest.mark.usefixtures("impatient", "engine")
def test_where_there_is_no_room_the_page_goes_on_without_a_job(open_page, one_visitor, monkeypatch):
    monkeypatch.setattr(book_module, "MAX_OPEN", 0)
    app = open_page("amplification", seed=SLOW)
    assert not app.exception
    assert app.get("progress")
    assert listed(one_visitor) == []


def test_a_second_server_says_that_jobs_are_not_kept(open_page, engine, tmp_path):
    from dqviz.jobs.folder import JobFolder

    first = JobFolder(tmp_path / "jobs")
    app = open_page("jobs")
    assert "not found again" in words(app)
    first.close()


def submit(app, grid, store="mine"):
    app.text_area(key="grid").set_value(grid)
    app.text_input(key="study_store").set_value(store)
    (start,) = [button for button in app.button if button.label == "Start"]
    return start.click().run()


@pytest.mark.usefixtures("engine")
def test_a_grid_is_started_and_the_list_shown(open_page, one_visitor):
    app = open_page("studies")
    submit(app, "model = 'streetdigits/resnet20/dq'\nseed = [1, 2]")
    assert not app.exception
    (job,) = listed(one_visitor)
    assert job[1] == "Study mine.sqlite: 2 cells"
    assert "Study mine.sqlite" in words(app)


@pytest.mark.parametrize(
    ("grid", "store", "said"),
    [
        ("modle = 'x'", "mine", "unknown setting"),
        ("model = []", "mine", "model has no values"),
        ("model = 'a/b/c'\n[data]\nname = 'folder:/etc'", "mine", "leads out of the data folder"),
        ("model = 'a/b/c'", "../mine", "the name of a store"),
    ],
)
@pytest.mark.usefixtures("engine")
def test_a_wrong_grid_is_refused_on_the_page(open_page, one_visitor, grid, store, said):
    app = submit(open_page("studies"), grid, store)
    assert said in words(app).replace("\\", "")
    assert listed(one_visitor) == []
    assert app.text_area(key="grid").value == grid  # nothing typed is lost


@pytest.mark.usefixtures("engine")
def test_many_cells_are_asked_about_first(open_page, one_visitor):
    app = submit(open_page("studies"), f"model = 'a/b/c'\nseed = {list(range(2000))}")
    assert "2,000 cells" in words(app)
    assert listed(one_visitor) == []
    app.button(key="confirm_study").click().run()
    assert [title for _, title in listed(one_visitor)] == ["Study mine.sqlite: 2,000 cells"]
