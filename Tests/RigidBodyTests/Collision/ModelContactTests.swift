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
    for (index, state) in try file.decode(ModelContactReference.self).states.enumerated() {
      let poses = try GeomPose<Double>.all(model, state.qpos)
      detector.detectContacts(poses, into: &contacts)
      let pairs = contacts.map { contact in
        let candidate = plan.candidates[Int(contact.candidate)]
        return [Int(candidate.geom1), Int(candidate.geom2)]
      }
      #expect(pairs == state.contacts.map(\.geoms), "state \(index)")
      guard pairs == state.contacts.map(\.geoms) else { continue }
      for pair in Set(pairs) {
        let places = pairs.indices.filter { pairs[$0] == pair }
        let kind = plan.candidates[Int(contacts[places[0]].candidate)].kind
        let found = places.map { ReferenceContact(contacts[$0]) }
        let expected = places.map { ReferenceContact(state.contacts[$0].geometry[...]) }
        let error = ReferenceContact.error(found, expected)
        #expect(error < (kind.isAnalytic ? 1e-9 : 1e-4), "state \(index), \(kind): \(error)")
      }
      for (contact, entry) in zip(contacts, state.contacts) {
        let parameters = plan.parameters[Int(plan.candidates[Int(contact.candidate)].parameters)]
        #expect((contact.distance >= parameters.margin) == entry.exclude)
        #expect(parameters.dimension == entry.dim)
        #expect(abs(parameters.margin - entry.margin) < 1e-15)
        #expect(relativeError(parameters.friction, entry.friction) < 1e-14)
        #expect(relativeError(parameters.solverReference, entry.solref) < 1e-14)
        #expect(relativeError(parameters.solverReferenceFriction, entry.solreffriction) < 1e-14)
        #expect(relativeError(parameters.solverImpedance, entry.solimp) < 1e-14)
      }
    }
  }
}
