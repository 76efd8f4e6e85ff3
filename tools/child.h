// SPDX-License-Identifier: Apache-2.0
// A question asked in a process of its own, so that a crash or a hang is an answer too.
#pragma once
#include <functional>
#include <optional>
#include <string>

namespace sconce::tool {

// What f returns or throws, as one line; "crashed: ..." or "takes too long" when it doesn't return.
std::optional<std::string> in_child(int seconds,
                                    const std::function<std::optional<std::string>()>& f);

}  // namespace sconce::tool
