// SPDX-License-Identifier: BSD-3-Clause
// The operator socket (RUN_DIRECTORY/control.sock, 0660): frames of a 32-bit big-endian length and
// that many bytes of UTF-8 JSON. The server speaks first: {"turnpike": TP_CTL_VERSION, "version":
// "x.y.z", "layout": N}. A request is {"id": n, "command": "noun verb", "arguments": {...}}; its
// answer is {"id": n, "ok": true, "result": ...} or {"id": n, "ok": false, "error": {"code": "...",
// "message": "...", "remedy": "..."}}. Lists come in several answers with "more": true but the
// last.
#pragma once

#define TP_CTL_VERSION	      1u
#define TP_CTL_FRAME_MAX      (1u << 20) // bytes of one frame
#define TP_CTL_REQUEST_MAX    65536u	 // a request is refused above this

#define TP_CTL_SOCKET_NAME    "control.sock"
// The edge has an operator socket of its own in the run directory, for the commands that it serves.
#define TP_EDGE_CTL_NAME      "edge-control.sock"
// The data plane's socket in the same directory: on connection it passes two timers (timerfd,
// SCM_RIGHTS, each behind one byte): the first wakes the control process, the second the workers. A
// side wakes the other by setting the timer to a moment that has passed, which can never block; the
// second one is never read. End-of-file tells either side that the other died.
#define TP_PUNT_SOCKET_NAME   "dataplane.sock"
// Another one of the data plane, for the edge: the edge sends a timer for each of its threads, each
// behind one byte, and is given the timer that wakes the workers. Each side knows from the file of
// the other which of its threads or workers want to be woken. End-of-file as above.
#define TP_STREAM_SOCKET_NAME "stream.sock"
