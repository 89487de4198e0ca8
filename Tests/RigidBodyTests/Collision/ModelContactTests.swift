import Foundation
import Kinematics
import Lanes
import RobotModels
import TestSupport
import Testing

@testable import RigidBody

/// Contacts of one model's states.
private struct ModelContactReference: Decodable {
  var states: [State]

  struct State: Decodable {
    var qpos: [Double]
    var contacts: [Entry]
  }

  struct Entry: Decodable {
    var geoms: [Int]
    var dim: Int
    var margin: Double
    var exclude: Bool
    var geometry: [Double]
    var friction: [Double]
    var solref: [Double]
    var solreffriction: [Double]
    var solimp: [Double]
  }
}

@Suite struct ModelContactTests {
  /// Pairs, their order, parameters and geometry, in reachable states.
  @Test(arguments: ReferenceFile.all(in: .module, folder: "contacts/models"))
  func agreesWithMuJoCo(_ file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let plan = try CollisionPlan(model)
    let detector = ContactDetector(plan)
    var contacts: [Contact] = []
    var otherCount = 0
    for (index, state) in try file.decode(ModelContactReference.self).states.enumerated() {
      let poses = try GeomPose<Double>.all(model, state.qpos)
      detector.detectContacts(poses, into: &contacts)
      let pairs = contacts.map { contact in
        let candidate = plan.candidates[Int(contact.candidate)]
        return [Int(candidate.geom1), Int(candidate.geom2)]
      }
      let expectedPairs = state.contacts.map(\.geoms)
      #expect(unique(pairs) == unique(expectedPairs), "state \(index)")
      for pair in unique(pairs) {
        let mine = contacts.indices.filter { pairs[$0] == pair }
        let theirs = expectedPairs.indices.filter { expectedPairs[$0] == pair }
        let found = mine.map { ReferenceContact(contacts[$0]) }
        let expected = theirs.map { ReferenceContact(state.contacts[$0].geometry[...]) }
        let candidate = plan.candidates[Int(contacts[mine[0]].candidate)]
        let error = ReferenceContact.error(found, expected)
        let bound = candidate.kind.isAnalytic || candidate.kind == .planeMesh ? 1e-9 : 1e-4
        if error >= bound {
          // A further point of a convex pair may be as far from the others as counts as distinct.
          #expect(candidate.kind == .convex && abs(found.count - expected.count) == 1, "\(pair): \(error)")
          #expect(abs(found[0].distance - expected[0].distance) < 1e-6)
          otherCount += 1
        }
        for (number, place) in theirs.enumerated() where number < mine.count {
          let entry = state.contacts[place]
          let parameters = plan.parameters[
            Int(plan.candidates[Int(contacts[mine[number]].candidate)].parameters)]
          #expect((contacts[mine[number]].distance >= parameters.margin) == entry.exclude)
          #expect(parameters.dimension == entry.dim)
          #expect(abs(parameters.margin - entry.margin) < 1e-15)
          #expect(relativeError(parameters.friction, entry.friction) < 1e-14)
          #expect(relativeError(parameters.solverReference, entry.solref) < 1e-14)
          #expect(relativeError(parameters.solverReferenceFriction, entry.solreffriction) < 1e-14)
          #expect(relativeError(parameters.solverImpedance, entry.solimp) < 1e-14)
        }
      }
    }
    #expect(otherCount <= 1)
  }

  /// Pairs in the order of their first contacts.
  private func unique(_ pairs: [[Int]]) -> [[Int]] {
    var seen: Set<[Int]> = []
    return pairs.filter { seen.insert($0).inserted }
  }
}
