"""The page of `bioft demo`: a tab for each thing that can be done, served on this machine."""

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from bioft.demo import map_tab, page, search_tab, similarity_tab, task_tabs
from bioft.demo.calibration import calibrate
from bioft.errors import BioftError
from bioft.search import index as search_index
from bioft.search.encoder import SearchEncoder
from bioft.search.index import SearchIndex
from bioft.storage.pages import html


def open_and_build(index: Path, model: str | None, directories: Sequence[Path], about: str = "") -> gr.Blocks:
    """Build the page for an index in a folder, its encoder, and finished runs.

    Raises:
        BioftError: as `search_index.open_index`, `search_index.load_encoder_of` and `build`.
    """
    opened = search_index.open_index(index)
    return build(opened, search_index.load_encoder_of(opened, model), directories, about)


def build(index: SearchIndex, encoder: SearchEncoder, directories: Sequence[Path] = (), about: str = "") -> gr.Blocks:
    """Build the page: search, similarity and map of an index, and a tab for each finished run.

    At its top it says `about`, such as where the articles are from.

    Raises:
        BioftError: the index is empty; as `task_tabs.add_all`.
    """
    if not len(index):
        raise BioftError(f"The index {index.directory} holds no articles. Add some with `bioft index --add`.")
    calibration = calibrate(index)
    with gr.Blocks(title="bioft", analytics_enabled=False) as app:
        name = "/".join(Path(encoder.name).parts[-2:])
        gr.HTML(html(__package__, "head.html.j2", n=len(index), encoder=name, about=about))
        with gr.Tabs():
            search_tab.add(index, encoder, calibration)
            similarity_tab.add(encoder, calibration)
            map_tab.add(index)
            task_tabs.add_all(directories)
    return app


def launch(app: gr.Blocks, host: str | None = None, port: int | None = None, *, share: bool = False) -> None:
    """Serve the page until it is interrupted; what is not given is Gradio's default (a Space sets it).

    Raises:
        BioftError: the port is taken, or the host is no address of this machine.
    """
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
