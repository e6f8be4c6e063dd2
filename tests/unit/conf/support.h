// SPDX-License-Identifier: BSD-3-Clause
// A directory of its own for a test, and configurations loaded from it.
#pragma once

#include <conf/conf.h>

// Ends the test when something fails.
const char *support_directory(void); // made at first use, removed by support_clean
void support_write(const char *name, const char *text, unsigned mode);
void support_clean(void);

// A control configuration that is right, to which a test adds its own lines.
#define SUPPORT_BASE                                                                               \
	"dataplane: {ports: [{interface: nic0}]}\n"                                                \
	"listeners:\n"                                                                             \
	"  - address: 10.77.0.1\n"
#define SUPPORT_SECRET "secrets: [{id: one, secret_file: one.secret}]\n"

// Loads a text whose files are those of support_directory.
int support_load(
	enum conf_role role, const char *text, struct conf **out, struct conf_errors *errs);
// The same, expecting no mistake and no warning.
struct conf *support_load_good(enum conf_role role, const char *text);
