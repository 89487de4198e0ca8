import BenchmarkSupport
import Costate
import Foundation

/// Where models are, and those that are made here.
struct ModelFolders: Sendable {
  var shared: String
  var own: String

  /// The path of a model's file, which is written first where it is made here.
  func path(_ name: String) throws -> String {
    switch name {
    case "Models/quadruped, elliptic":
      let text = try String(contentsOfFile: "\(own)/quadruped.xml", encoding: .utf8)
      return try write(
        text.replacingOccurrences(of: "<option ", with: "<option cone=\"elliptic\" impratio=\"10\" "),
        "quadruped-elliptic")
    case "pile of 30 boxes": return try write(boxes(30), "boxes-30")
    default:
      return name.hasPrefix("Models/") ? "\(own)/\(name.dropFirst(7)).xml" : "\(shared)/\(name).xml"
    }
  }
}

/// Writes a model into the folder of temporary files.
func write(_ text: String, _ name: String) throws -> String {
  let path = "\(NSTemporaryDirectory())costate-\(name).xml"
  try text.write(toFile: path, atomically: true, encoding: .utf8)
  return path
}

/// Boxes that fall on one another, three in a layer.
func boxes(_ count: Int) -> String {
  let bodies = (0..<count).map { k in
    let layer = k / 3
    let angle = 2 * Double.pi * (Double(k % 3) / 3 + 0.1 * Double(layer))
    let (x, y) = (0.12 * cos(angle), 0.12 * sin(angle))
    return """
          <body pos="\(x) \(y) \(0.06 + 0.125 * Double(layer))" euler="0 0 \(20 * k)">
            <freejoint/><geom type="box" size="0.09 0.06 0.05" mass="1"/>
          </body>
      """
  }
  return """
    <mujoco>
      <option timestep="0.002"/>
      <worldbody>
        <geom type="plane" size="5 5 0.1"/>
    \(bodies.joined(separator: "\n"))
      </worldbody>
    </mujoco>

    """
}

/// A chain of capsules, joined by hinges about alternating axes, that lies on the floor, the only thing that it touches; a motor
/// at every joint.
func chain(_ links: Int) -> String {
  var text = ""
  for k in 0..<links {
    let place = k == 0 ? "0 0 0.031" : "0.2 0 0"
    let joint =
      k == 0 ? "<freejoint/>" : "<joint name=\"j\(k)\" axis=\"\(k % 2 == 0 ? "0 0 1" : "0 1 0")\"/>"
    text += "<body pos=\"\(place)\">\(joint)<geom fromto=\"0 0 0 0.15 0 0\"/>\n"
  }
  text += String(repeating: "</body>", count: links)
  let motors = (1..<links).map { "<motor joint=\"j\($0)\"/>" }.joined(separator: "\n")
  return """
    <mujoco>
      <option timestep="0.001"/>
      <default>
        <joint damping="1" armature="0.05"/>
        <geom type="capsule" size="0.03" mass="0.3" contype="0" conaffinity="1"/>
        <motor ctrlrange="-1 1" ctrllimited="true" gear="0.1"/>
      </default>
      <worldbody>
        <geom type="plane" size="50 50 0.1" contype="1" conaffinity="0"/>
    \(text)
      </worldbody>
      <actuator>
    \(motors)
      </actuator>
    </mujoco>

    """
}
