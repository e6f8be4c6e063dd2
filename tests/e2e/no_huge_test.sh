#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Without hugepages the relay runs all the same, and says that it does.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin --no-huge

report=$E2E_TMP/stream.json
e2e_stream "$report" --peer "$TP_B4" --rate 1000 --seconds 4
e2e_holds "$report" "a stream passes" \
	"r['up']['sent'] > 3900 and r['up']['lost'] == 0 and r['down']['lost'] == 0"
e2e_check "the data plane uses none" grep -q huge "$TP_LAB_DIR/dataplane.log"
e2e_check "the lab mounted none" e2e_not grep -q "$TP_LAB_DIR" /proc/mounts
