"""The HTTP server that tests put in front of others, or in their place."""

from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Takes a burst of connections, and ends without waiting for those that are kept open."""

    daemon_threads = True
    block_on_close = False
    # Only five of a burst would be let in; the others would wait for TCP's next try, as long as seconds.
    request_queue_size = 128
