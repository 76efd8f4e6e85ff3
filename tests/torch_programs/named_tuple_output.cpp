// SPDX-License-Identifier: Apache-2.0
// A NamedTuple and objects of script classes.
#include <torch/script.h>

#include <iostream>

int main() {
  auto unit = torch::jit::compile(R"(
class Box:
  def __init__(self, x: float, label: str):
    self.x = x
    self.label = label
  def area(self) -> float:
    return self.x * self.x
def make(x: float) -> Box:
  return Box(x, "square")
def areas(boxes: List[Box]) -> List[float]:
  return [b.area() for b in boxes]
)");
  auto box = unit->run_method("make", 1.5);
  std::cout << box.isObject() << box.isModule() << box.toObject()->getAttr("label").toStringRef()
            << box.toObjectRef().getAttr("x").toDouble() << std::endl;
  auto object = box.toObject();
  object->setAttr("x", 3.0);
  std::cout << object->type()->name()->name() << object->slots().size()
            << object->getAttr("x").toDouble() << std::endl;
  c10::impl::GenericList list(box.type());
  list.push_back(box);
  list.push_back(unit->run_method("make", 0.5));
  std::cout << unit->run_method("areas", list).toDoubleVector() << std::endl;
  return 0;
}
