/* SPDX-License-Identifier: Apache-2.0
 * A network of pictures from C: the best class of an even grey picture, within limits.
 * usage: classify_c MODEL.pt
 */
#include <sconce/c.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char* what) {
  fprintf(stderr, "%s: %s: %s\n", what, sconce_status_name(sconce_error_status()),
          sconce_error_message());
  return 1;
}

int main(int argc, char** argv) {
  static float picture[3 * 32 * 32];
  const int64_t sizes[4] = {1, 3, 32, 32};
  sconce_limits limits = SCONCE_LIMITS_INIT;
  sconce_load_options options = SCONCE_LOAD_OPTIONS_INIT;
  sconce_module* model = NULL;
  sconce_value *x = NULL, *y = NULL;
  int64_t classes = 0, best = 0;
  float* scores;
  if (argc != 2) return 2;
  for (size_t i = 0; i < sizeof picture / sizeof *picture; ++i) picture[i] = 0.5f;

  sconce_limits_untrusted(&limits); /* the file may be a stranger's */
  options.limits = &limits;
  if (sconce_load(argv[1], &options, &model)) return failed(argv[1]);
  if (sconce_tensor_borrow(picture, SCONCE_FLOAT32, sizes, NULL, 4, NULL, NULL, &x) ||
      sconce_module_call(model, "forward", &x, 1, NULL, &y) || sconce_tensor_numel(y, &classes))
    return failed("forward");

  scores = malloc((size_t)classes * sizeof *scores);
  if (!scores || sconce_tensor_copy_to(y, scores, (size_t)classes * sizeof *scores))
    return failed("scores");
  for (int64_t i = 1; i < classes; ++i)
    if (scores[i] > scores[best]) best = i;
  printf("%lld of %lld classes\n", (long long)best, (long long)classes);

  free(scores);
  sconce_value_free(x);
  sconce_value_free(y);
  sconce_module_free(model);
  return 0;
}
