"""Archives of the collection on this machine: an HTTP server that answers as Imaging Data Commons and TCIA do."""

import http.server
import threading
import types
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd


class Server:
    """Answers from a table and counts the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Path | int] = {}
        self.short: set[str] = set()
        self.requests: Counter[str] = Counter()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests[self.path] += 1
                answer = outer.answers.get(self.path, 404)
                if isinstance(answer, int):
                    self.send_error(answer)
                    return
                answer = answer.read_bytes() if isinstance(answer, Path) else answer
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                cut = self.path in outer.short
                outer.short.discard(self.path)  # the next try gets all of it
                self.wfile.write(answer[: len(answer) // 2] if cut else answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add_bucket(self, pictures: Mapping[str, Sequence[Path]]) -> pd.DataFrame:
        """Put files by series where Imaging Data Commons has them; returns its catalogue, as read_catalogue does."""
        rows = {}
        for number, (series, paths) in enumerate(pictures.items()):
            uuid = f"00000000-0000-0000-0000-{number:012}"
            keys = {f"{uuid}/{count}-instance.dcm": path for count, path in enumerate(paths)}
            listed = "".join(
                f"<Contents><Key>{key}</Key><Size>{path.stat().st_size}</Size></Contents>" for key, path in keys.items()
            )
            space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
            text = f'<?xml version="1.0"?><ListBucketResult {space}>{listed}</ListBucketResult>'
            self.answers[f"/?list-type=2&prefix={uuid}/"] = text.encode()
            self.answers |= {f"/{key}": path for key, path in keys.items()}
            size = sum(path.stat().st_size for path in paths)
            rows[series] = {"images": len(paths), "size": size, "uuid": uuid, "patient": "case", "study": "1.2.3"}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("series")


def index_package(folder: Path, catalogue: pd.DataFrame) -> types.SimpleNamespace:
    """The package idc_index_data with this catalogue in it, for sys.modules."""
    path = folder / "idc_index.parquet"
    pd.DataFrame(
        {
            "SeriesInstanceUID": catalogue.index,
            "instanceCount": catalogue["images"].to_numpy(),
            "series_size_MB": catalogue["size"].to_numpy() / 1e6,
            "crdc_series_uuid": catalogue["uuid"].to_numpy(),
            "PatientID": catalogue["patient"].to_numpy(),
            "StudyInstanceUID": catalogue["study"].to_numpy(),
            "collection_id": "cbis_ddsm",
        }
    ).to_parquet(path)
    return types.SimpleNamespace(IDC_INDEX_PARQUET_FILEPATH=path)
