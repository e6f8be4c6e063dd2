// SPDX-License-Identifier: BSD-3-Clause
// How many packet buffers the data plane makes where the configuration does not say, so that a
// plan reckons with as many.
#pragma once

#define TP_QUEUE_BUFFERS 8192u // per receive queue: an AF_XDP queue's three rings, bursts under way
#define TP_BUFFERS_MIN	 16384u // per NUMA node
