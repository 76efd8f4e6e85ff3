// SPDX-License-Identifier: Apache-2.0
// Options that several commands take.
#include <CLI/CLI.hpp>

#include "classes.h"
#include "image.h"
#include "inputs.h"
#include "limit_options.h"

namespace sconce::tool {

void add_image_options(CLI::App& c, ImageOptions& o) {
  auto* group = c.add_option_group("Pictures", "how PNG and JPEG inputs become tensors");
  group->add_option("--resize", o.resize, "N: shorter side; HEIGHTxWIDTH: both")
      ->type_name("N|HxW");
  group->add_option("--crop", o.crop, "the middle: N for a square, or HEIGHTxWIDTH")
      ->type_name("N|HxW");
  group->add_option("--mean", o.mean, "subtracted from each channel of 0..1")->type_name("R,G,B");
  group->add_option("--std", o.std, "each channel is divided by it")->type_name("R,G,B");
  group->add_flag("--imagenet", o.imagenet,
                  "what is not given of --resize 256 --crop 224 --mean 0.485,0.456,0.406 --std "
                  "0.229,0.224,0.225");
  group->add_flag("--gray", o.gray, "one channel instead of three");
}

void add_input_options(CLI::App& c, InputOptions& o) {
  c.add_option("--input", o.texts, "an argument of the method, see below; once for each argument")
      ->allow_extra_args(false)
      ->type_name("X");
  add_image_options(c, o.image);
}

void add_numerics_option(CLI::App& c, Numerics& o) {
  c.add_option_function<std::string>(
       "--numerics",
       [&o](const std::string& s) { o = s == "strict" ? Numerics::Strict : Numerics::Fast; },
       "fast, or strict: the bits of --mode interpret")
      ->check(CLI::IsMember({"fast", "strict"}))
      ->default_str("fast");
}

void add_class_options(CLI::App& c, ClassOptions& o) {
  auto* group = c.add_option_group("Classes", "scores as the names of the best classes");
  group
      ->add_option("--top", o.top,
                   "best classes to show, with their share by softmax; names are the archive's "
                   "extra/labels.txt, or those of --labels")
      ->check(CLI::Range(1, 1000000));
  group
      ->add_option(
          "--labels", o.labels,
          "names of the classes: one in each line, or JSON; shows 5 unless --top says more")
      ->type_name("FILE");
}

void add_limit_options(CLI::App& app, LimitOptions& o) {
  constexpr double kMost = 1e9;
  app.add_option("--max-memory", o.megabytes, "MB that the command may hold; 0: no limit")
      ->type_name("MB")
      ->check(CLI::Range(uint64_t{0}, static_cast<uint64_t>(kMost)));
  app.add_option("--max-seconds", o.seconds, "seconds that it may take; 0: no limit")
      ->type_name("S")
      ->check(CLI::Range(0.0, kMost));
  app.add_option("--max-steps", o.steps,
                 "jumps back and calls that the model's code may take; 0: no limit")
      ->type_name("N");
}

}  // namespace sconce::tool
