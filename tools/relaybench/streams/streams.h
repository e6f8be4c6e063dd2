// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// relaybench streams: clients over TCP, TLS and DTLS against any server. An exit status.
int streams_main(int argc, char **argv);
