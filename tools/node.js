// SPDX-License-Identifier: Apache-2.0
// In front of what Emscripten writes: with a fetch() it takes node for a browser.
delete globalThis.fetch;
