"""Writes Tests/RobotModelsTests/Fixtures/meshes.json: what MuJoCo compiles of a few meshes.

Usage: mesh_fixtures.py OUTPUT [MODELS]
MODELS is a folder with robot files; the Panda's collision meshes in it are added by name, without their triangles.
"""

import json
import pathlib
import sys
import tempfile

import mujoco
import numpy as np


def box():
    v = [[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)]
    f = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6],
         [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    return np.array(v) * 0.1 + [0.3, -0.2, 0.5], f


def tetrahedron():
    return np.array([[0.1, 0, 0], [0.5, 0.1, 0.05], [0.2, 0.7, 0.1], [0.15, 0.2, 0.9]]), [
        [0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]


def bumpy_sphere():
    rows, columns = 9, 14
    v, f = [[0, 0, 1]], []
    for i in range(1, rows):
        for j in range(columns):
            a, b = np.pi * i / rows, 2 * np.pi * j / columns
            v.append([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)])
    v.append([0, 0, -1])
    v = np.array(v)
    bump = 1 + 0.15 * np.sin(5 * v[:, 0] + 1) * np.cos(4 * v[:, 1]) + 0.1 * np.sin(3 * v[:, 2])
    v = v * bump[:, None] * [0.2, 0.25, 0.3] + [0.05, 0.1, -0.2]
    last = len(v) - 1
    for j in range(columns):
        k = (j + 1) % columns
        f.append([0, 1 + j, 1 + k])
        f.append([last, last - columns + k, last - columns + j])
        for i in range(rows - 2):
            a, b = 1 + i * columns, 1 + (i + 1) * columns
            f += [[a + j, b + j, b + k], [a + j, b + k, a + k]]
    return v, f


def l_shape():
    outline = np.array([[0, 0], [3, 0], [3, 1], [1, 1], [1, 2.5], [0, 2.5]]) * 0.1
    v = [[x, y, z] for z in (0, 0.15) for x, y in outline]
    f = [[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 5, 4]]
    f = f + [[a + 6, c + 6, b + 6] for a, b, c in f]
    for i in range(6):
        j = (i + 1) % 6
        f += [[i, j, j + 6], [i, j + 6, i + 6]]
    return np.array(v), f


def sheet():
    v = np.array([[0, 0, 0], [0.4, 0, 0.1], [0.5, 0.3, 0.1], [0, 0.3, 0], [0.2, 0.5, 0.05]])
    return v, [[0, 1, 2], [0, 2, 3], [3, 2, 4]]


def small():
    v, f = bumpy_sphere()
    return v * 0.05, f


MESHES = dict(box=box, tetrahedron=tetrahedron, bumpySphere=bumpy_sphere, lShape=l_shape, sheet=sheet, small=small)
CASES = [("box", m, s) for m in ("legacy", "exact", "convex", "shell") for s in ((1, 1, 1),)]
CASES += [(n, m, s) for n in ("tetrahedron", "bumpySphere", "lShape") for m in ("legacy", "exact", "convex", "shell")
          for s in ((1, 1, 1), (0.5, 2, 1.5))]
CASES += [("sheet", "shell", (1, 1, 1)), ("small", "legacy", (1, 1, 1)), ("small", "exact", (1, 1, 1)),
          ("bumpySphere", "exact", (-1, 1, 1)), ("lShape", "legacy", (1, -2, 1)), ("lShape", "shell", (-1, 1, 1))]


def compiled(attributes, asset=""):
    xml = f"""<mujoco><compiler boundmass="0"/><asset><mesh name="m" {attributes}/></asset><worldbody>
      <body><freejoint/><geom type="mesh" mesh="m" pos="0.1 -0.2 0.3" quat="0.5 0.1 -0.7 0.2" density="1200"
      {asset}/></body></worldbody></mujoco>"""
    m = mujoco.MjModel.from_xml_string(xml)
    hull = None
    if m.mesh_graphadr[0] >= 0:
        nv, nf = m.mesh_graph[m.mesh_graphadr[0]:][:2]
        hull = sorted(int(i) for i in m.mesh_graph[m.mesh_graphadr[0] + 2 + nv:][:nv])
    return dict(
        mesh_pos=m.mesh_pos[0].tolist(), mesh_quat=m.mesh_quat[0].tolist(), mesh_vert=m.mesh_vert.ravel().tolist(),
        face_count=int(m.nmeshface), hull_vertices=hull,
        geom_pos=m.geom_pos[0].tolist(), geom_quat=m.geom_quat[0].tolist(), geom_size=m.geom_size[0].tolist(),
        body_mass=float(m.body_mass[1]), body_inertia=m.body_inertia[1].tolist(), body_ipos=m.body_ipos[1].tolist(),
        body_iquat=m.body_iquat[1].tolist())


def numbers(values):
    return " ".join(repr(float(x)) for x in np.ravel(values))


def main():
    meshes = {n: dict(vertices=np.float32(f()[0]).astype(float).ravel().tolist(), triangles=np.ravel(f()[1]).tolist())
              for n, f in MESHES.items()}
    cases = []
    for name, mode, scale in CASES:
        v, f = meshes[name]["vertices"], meshes[name]["triangles"]
        collide = "" if name != "sheet" else 'contype="0" conaffinity="0"'
        attributes = f'vertex="{numbers(v)}" face="{" ".join(map(str, f))}" inertia="{mode}" scale="{numbers(scale)}"'
        cases.append(dict(mesh=name, inertia=mode, scale=scale, **compiled(attributes, collide)))
    v, f = meshes["bumpySphere"]["vertices"], meshes["bumpySphere"]["triangles"]
    face = f'vertex="{numbers(v)}" face="{" ".join(map(str, f))}"'
    cases.append(dict(mesh="bumpySphere", inertia="legacy", scale=(0.5, 1, 1), refpos=(0.1, 0.2, -0.3),
                      refquat=(0.8, 0.1, -0.4, 0.3),
                      **compiled(face + ' scale="0.5 1 1" refpos="0.1 0.2 -0.3" refquat="0.8 0.1 -0.4 0.3"')))
    cases.append(dict(mesh="bumpySphere", inertia="legacy", scale=(1, 1, 1), maxhullvert=20,
                      **compiled(face + ' maxhullvert="20"')))
    files = []
    if len(sys.argv) > 2:
        folder = "urdf/example-robot-data/robots/panda_description/meshes/collision"
        for path in sorted((pathlib.Path(sys.argv[2]) / folder).glob("*.stl")):
            result = compiled(f'file="{path.resolve()}"')
            vertices = result.pop("mesh_vert")
            result["vertex_count"] = len(vertices) // 3
            result["mesh_vert_start"] = vertices[:30]
            result["hull_count"] = len(result.pop("hull_vertices"))
            files.append(dict(file=f"{folder}/{path.name}", inertia="legacy", **result))
    # Polygons as an OBJ file has them, among them a quadrilateral that is not plane.
    obj = """v 0 0 0
v 0.3 0 0
v 0.3 0.2 0.05
v 0 0.25 0
v 0 0 0.4
v 0.3 0 0.4
v 0.35 0.2 0.4
v 0 0.2 0.5
f 4 3 2 1
f 5/1 6/2 7/3 8/4
f 1//1 2//1 6//1 5//1
f -7 3 7 6
f 3/1/1 4/1/1 8/1/1 7/1/1
f 4 1 5 8
vt 0 0
vt 1 0
vt 0 1
vt 1 1
vn 0 0 1
"""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "polygons.obj"
        path.write_text(obj)
        polygons = dict(text=obj, inertia="exact", **compiled(f'file="{path}" inertia="exact"'))
    out = dict(mujoco=mujoco.__version__, meshes=meshes, cases=cases, files=files, obj=polygons)
    pathlib.Path(sys.argv[1]).write_text(json.dumps(out, separators=(",", ":")) + "\n")


main()
