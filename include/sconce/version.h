// SPDX-License-Identifier: Apache-2.0
#pragma once
#define SCONCE_VERSION_MAJOR 0
#define SCONCE_VERSION_MINOR 1
#define SCONCE_VERSION_PATCH 0
#define SCONCE_VERSION "0.1.0"
