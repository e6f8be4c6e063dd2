// SPDX-License-Identifier: BSD-3-Clause
// From the draft to the struct conf: what concerns more than one value. Both parts are called by
// reader_settle in this order.
#pragma once

#include "reader.h"

// listeners, relay, dataplane
void settle_paths(struct reader *r);
// realm, users, secrets, peers, limits
void settle_service(struct reader *r);
