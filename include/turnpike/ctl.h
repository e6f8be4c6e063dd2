// SPDX-License-Identifier: BSD-3-Clause
// The operator socket (RUN_DIRECTORY/control.sock, 0660): frames of a 32-bit big-endian length and
// that many octets of UTF-8 JSON. The server speaks first: {"turnpike": TP_CTL_VERSION, "version":
// "x.y.z", "layout": N}. A request is {"id": n, "command": "noun verb", "arguments": {...}}; its
// answer is {"id": n, "ok": true, "result": ...} or {"id": n, "ok": false, "error": {"code": "...",
// "message": "...", "remedy": "..."}}. Lists come in several answers with "more": true but the
// last.
#pragma once

#define TP_CTL_VERSION	    1u
#define TP_CTL_FRAME_MAX    (1u << 20) // octets of one frame
#define TP_CTL_REQUEST_MAX  65536u     // a request is refused above this

#define TP_CTL_SOCKET_NAME  "control.sock"
// The data plane's socket in the same directory: on connection it passes the punt eventfd
// (SCM_RIGHTS) behind one octet; end-of-file tells either side that the other died.
#define TP_PUNT_SOCKET_NAME "dataplane.sock"
