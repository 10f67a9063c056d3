"""The page of `bioft demo`: a tab for each thing that can be done, served on this machine."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from bioft import task as tasks
from bioft.demo import map_tab, page, run_tab, search_tab, similarity_tab
from bioft.demo.calibration import calibrate
from bioft.errors import BioftError
from bioft.hub.pull import task_of
from bioft.search import index as search_index
from bioft.search.encoder import SearchEncoder
from bioft.search.index import SearchIndex
from bioft.storage import runs
from bioft.storage.pages import html
from bioft.task import Task


def open_and_build(index: Path, model: str | None, directories: Sequence[Path], about: str = "") -> gr.Blocks:
    """Build the page for an index in a folder, its encoder, and finished runs, as the app of a Space does."""
    opened = search_index.open_index(index)
    return build(opened, search_index.load_encoder_of(opened, model), directories, about)


def build(index: SearchIndex, encoder: SearchEncoder, directories: Sequence[Path] = (), about: str = "") -> gr.Blocks:
    """Build the page: search, similarity and map of an index, and a tab for each finished run.

    At its bottom it says `about`, such as where the articles are from. BioftError: the index is empty; as `add_runs`.
    """
    if not len(index):
        raise BioftError(f"The index {index.directory} holds no articles. Add some with `bioft index --add`.")
    calibration, what = calibrate(index), page.noun_of(index)
    # Files to be downloaded are kept for an hour.
    with gr.Blocks(title="bioft", analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        name = "/".join(Path(encoder.name).parts[-2:])
        gr.HTML(html(__package__, "head.html.j2", n=len(index), encoder=name, what=what))
        with gr.Tabs():
            search_tab.add(index, encoder, calibration, what)
            similarity_tab.add(index, encoder, calibration, what)
            map_tab.add(index, what)
            add_runs(directories)
        if about:
            gr.HTML(Markup('<footer class="bioft about">{}</footer>').format(about))
    return app


def tasks_of(directories: Sequence[Path]) -> list[tuple[dict[str, Any], Task]]:
    """The record and the task of each run; BioftError for a folder without one, or a run on a task without a tab."""
    found = []
    for directory in directories:
        task = task_of(directory, runs.read(directory))
        if tasks.part(task, "demo") is None:
            instead = task.not_in_demo or f"{task.module} has no `demo`"
            raise BioftError(f"The demo has no tab for {directory}, a run on {task.name}: {instead}.")
        found.append((runs.read_trained(directory), task))
    return found


def add_runs(directories: Sequence[Path]) -> None:
    """Load runs and add a tab for each to the page that is being built; BioftError as `tasks_of`, and of loading."""
    added = tasks_of(directories)
    kinds = Counter(task.name for _, task in added)
    for directory, (record, task) in zip(directories, added, strict=True):
        title = tasks.function(task, "demo", "TAB", "can be shown in the demo")
        run_tab.add(directory, record, task, str(title) if kinds[task.name] == 1 else f"{title}: {record['name']}")


def launch(app: gr.Blocks, host: str | None = None, port: int | None = None, *, share: bool = False) -> None:
    """Serve the page until it is interrupted, where nothing is given as Gradio does; BioftError: no such address."""
    try:
        app.launch(
            server_name=host,
            server_port=port,
            share=share,
            theme=page.THEME,
            css=page.CSS,
            quiet=True,  # what it would say is not meant for a command
            prevent_thread_lock=True,
            footer_links=[],
            ssr_mode=False,  # its Node server would only make the first view slower
        )
    except OSError as error:
        reason = str(error).partition(". ")[0]
        raise BioftError(f"Could not serve the page: {reason}. Give another --port or --host.") from error
    addresses = [each for each in (app.local_url, app.share_url) if each]
    print(f"The page is at {' and '.join(addresses)} (Ctrl+C ends it)", flush=True)
    app.block_thread()
