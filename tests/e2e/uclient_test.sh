#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# coturn's own client in tp-a with its echo peer in tp-b: every way of relaying, nothing lost.
. "$(dirname "$0")/_init.sh"

e2e_need turnutils_uclient turnutils_peer
e2e_begin
. "$(dirname "$0")/_uclient.sh"
