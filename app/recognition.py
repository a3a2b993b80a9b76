"""From a request to the faces of its images, within the server's limits."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request

from facial_expression.recognizer import Recognizer

from .forms import FIELD, File
from .images import decode_picture
from .monitoring import Monitoring
from .problems import EMPTY, MALFORMED, SEVERAL_IMAGES, TIMEOUT, UNSUPPORTED, Problem, describe
from .schemas import BatchItem, BatchResponse, RecognitionOptions, RecognitionResponse, describe_recognition
from .settings import Settings
from .uploads import Uploads
from .workers import Workers

Result = TypeVar("Result")


class RecognitionService:
    """Receives images and recognizes their faces. Call all methods from the event loop's thread.

    Attributes:
        workers: the threads that decode images and recognize faces.
        monitoring: the metrics.
        card: the model card.
    """

    def __init__(self, settings: Settings, recognizer: Recognizer):
        self._settings, self._recognizer = settings, recognizer
        self._uploads = Uploads(settings)
        self.workers = Workers(settings.workers, settings.queue_size)
        self.monitoring = Monitoring(lambda: self.workers.occupied, lambda: self._uploads.arriving)
        self.card = recognizer.card

    async def recognize(self, request: Request, options: RecognitionOptions) -> RecognitionResponse:
        """Recognize the faces of the only image in a request.

        Raises:
            Problem: the request cannot be fulfilled.
        """

        async def recognize(files: list[File]) -> RecognitionResponse:
            if len(files) > 1:
                detail = f"The form has {len(files)} images. Send one, or all to /api/v1/recognize-batch."
                raise Problem(SEVERAL_IMAGES, detail)
            return await self._recognize_file(files[0], options, self._settings.response_timeout)

        return await self._with_files(request, recognize)

    async def recognize_batch(self, request: Request, options: RecognitionOptions) -> BatchResponse:
        """Recognize the faces of all images in a request, one after the other, within the time for a single one.

        Raises:
            Problem: the request as a whole cannot be fulfilled.
        """

        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise Problem(UNSUPPORTED, f"Send a form (multipart/form-data) with fields {FIELD!r}.")

        async def recognize(files: list[File]) -> BatchResponse:
            if not all(file.name for file in files):
                raise Problem(MALFORMED, "Every image of a batch needs a file name, which its result repeats.")
            end = time.monotonic() + self._settings.response_timeout
            return BatchResponse(results=[await self._recognize_item(file, options, end) for file in files])

        return await self._with_files(request, recognize)

    async def _with_files(self, request: Request, function: Callable[[list[File]], Awaitable[Result]]) -> Result:
        """Call a function with the image files of a request; a slot is occupied only once they are complete."""
        self.workers.refuse_if_full()
        async with self._uploads.receive(request) as files:
            with self.workers.acquire():
                return await function(files)

    async def _recognize_item(self, file: File, options: RecognitionOptions, end: float) -> BatchItem:
        try:
            recognition = await self._recognize_file(file, options, end - time.monotonic())
            return BatchItem(file=file.name, recognition=recognition, problem=None)
        except Problem as problem:
            return BatchItem(file=file.name, recognition=None, problem=describe(problem, self._settings.root_path))

    async def _recognize_file(self, file: File, options: RecognitionOptions, timeout: float) -> RecognitionResponse:
        if not file.data:
            raise Problem(EMPTY, "The image is empty. Did you select a file?")
        if timeout <= 0:
            raise Problem(TIMEOUT, "The images before this one took all of the time. Send fewer at once.")
        return await self.workers.run(self._process, file.data, options, timeout=timeout)

    def _process(self, data: bytes, options: RecognitionOptions) -> RecognitionResponse:
        """Decode an image and recognize its faces; runs in one of the workers' threads."""
        start = time.perf_counter()
        picture = decode_picture(data, self._settings.max_pixels)
        found = self._recognizer.recognize(
            picture.gray, whole_picture=options.whole_picture, min_score=options.min_score
        )
        seconds = time.perf_counter() - start
        self.monitoring.count_image(len(found), seconds)
        return describe_recognition(picture, found, options.max_faces or self._settings.max_faces, 1000 * seconds)
