"""An answer of AWS is read up to a size: botocore reads whatever comes, for as long as it comes."""

from __future__ import annotations

from typing import Any

MOST_BYTES = 8 * 1024 * 1024
_PIECE = 65_536


class BoundedSession:
    """Stands in for the HTTP session of a boto3 client; streamed bodies are the caller's own."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> Any:
        """Send, and read the body. Raises botocore's own exceptions."""
        streamed, request.stream_output = request.stream_output, True
        response = self._session.send(request)
        if not streamed:
            response._content = _read(response, request)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _read(response: Any, request: Any) -> bytes:
    from botocore import exceptions as aws
    from urllib3 import exceptions as http

    body = bytearray()
    try:
        for piece in response.raw.stream(_PIECE):
            body += piece
            if len(body) > MOST_BYTES:
                response.raw.close()
                raise aws.HTTPClientError(error=f"an answer of more than {MOST_BYTES} bytes")
    except http.ReadTimeoutError as error:
        raise aws.ReadTimeoutError(endpoint_url=request.url, error=error) from None
    except http.HTTPError as error:
        raise aws.ConnectionClosedError(
            endpoint_url=request.url, error=error, request=request
        ) from None
    return bytes(body)
