"""A real Cobbler, given objects as its command line gives them, asked what it makes of them.

    unshare --mount PYTHON peer.py WORLD.json ANSWER.json

Everything that Cobbler writes goes into layers over this machine's folders, in a mount namespace and in memory: when
this process ends, nothing is left. WORLD has `settings`, `templates` and `snippets` by name, `steps` (what the command
`cobbler KIND ACTION --name=NAME --FIELD=TEXT ...` would send), `ask` (the objects whose blended values are wanted, and
of these the keys) and `render` (the systems whose answer files are wanted, with their text for those in `show`).
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time


def layer_over(folder, room):
    upper, work = room / "upper", room / "work"
    for place in (upper, work):
        place.mkdir(parents=True)
    options = f"lowerdir={folder},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder], check=True)


def make_house(room, world):
    """Lays out Cobbler's folders as its package does."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", room], check=True)
    for folder in ("/etc", "/var", "/usr/share", "/srv"):
        layer_over(folder, room / folder.strip("/").replace("/", "-"))
    import cobbler

    package = pathlib.Path(cobbler.__file__).parent.parent
    for folder in ("etc/cobbler", "var/lib/cobbler", "usr/share/cobbler"):
        shutil.copytree(package / folder, pathlib.Path("/") / folder, dirs_exist_ok=True)
    kinds = ["distros", "files", "images", "menus", "mgmtclasses", "packages", "profiles", "repos", "systems"]
    for folder in (
        *(f"/var/lib/cobbler/collections/{kind}" for kind in kinds),
        *(f"/var/lib/cobbler/{name}" for name in ("loaders", "triggers", "web_sessions", "grub_config", "isos")),
        "/var/log/cobbler/tasks",
        "/var/log/cobbler/anamon",
        *(f"/srv/www/cobbler/{name}" for name in ("images", "links", "misc", "pub", "rendered", "templates")),
        *(f"/srv/www/cobbler/{name}" for name in ("distro_mirror", "repo_mirror")),
        "/srv/tftpboot",
    ):
        os.makedirs(folder, exist_ok=True)
    for kind in ("templates", "snippets"):
        for name, text in world[kind].items():
            path = pathlib.Path("/var/lib/cobbler") / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    # A kernel and an initrd that are there and no more: Cobbler looks for the files.
    boot = room / "boot"
    boot.mkdir()
    (boot / "vmlinuz").write_bytes(b"kernel")
    (boot / "initrd.img").write_bytes(b"initrd")
    return boot


def main():
    world = json.loads(pathlib.Path(sys.argv[1]).read_text())
    room = pathlib.Path(sys.argv[2]).parent / "room"
    room.mkdir()
    # Opened before the folders are covered, so that it is written to this machine.
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(answer(world, room), out)


def answer(world, room):
    boot = make_house(room, world)
    import yaml

    path = pathlib.Path("/etc/cobbler/settings.yaml")
    settings = yaml.safe_load(path.read_text())
    settings.update(world["settings"])
    path.write_text(yaml.safe_dump(settings))

    from cobbler import remote, utils
    from cobbler.api import CobblerAPI
    from cobbler.cobbler_collections import collection

    # Saving an object also writes the boot menus of all there are. They are not asked for, and with a hundred objects
    # a save takes seconds.
    add = collection.Collection.add
    collection.Collection.add = lambda self, *given, **named: add(self, *given, **{**named, "with_sync": False})
    api = CobblerAPI(is_cobblerd=True)
    line = remote.CobblerXMLRPCInterface(api)
    token = line.login("cobbler", "cobbler")
    entered = time.monotonic()
    refused = []
    for place, (kind, name, action, fields) in enumerate(world["steps"]):
        fields = dict(fields, name=name)
        if kind == "distro" and action == "add":
            fields.update(kernel=str(boot / "vmlinuz"), initrd=str(boot / "initrd.img"))
        try:
            line.xapi_object_edit(kind, name, action, fields, token)
        except Exception as error:  # whatever it is, it is Cobbler's answer
            refused.append([place, f"{type(error).__name__}: {error}"])
    entered = time.monotonic() - entered

    finders = {"distro": api.find_distro, "profile": api.find_profile, "system": api.find_system}
    blended = []
    # Cobbler blends owners and name servers into the very lists of its settings, so that what one object says would
    # be a default of all that are asked after it.
    lists = {key: list(value) for key, value in api.settings().to_dict().items() if key.startswith("default_") and isinstance(value, list)}
    for kind, name in world["ask"]:
        for key, value in lists.items():
            setattr(api.settings(), key, list(value))
        values = utils.blender(api, False, finders[kind](name=name))
        kept = {key: values[key] for key in world["keys"] if key in values}
        kept["kernel_line"] = utils.dict_to_string(values["kernel_options"]).strip()
        blended.append(kept)

    texts = {}
    began, processor = time.monotonic(), time.process_time()
    for name in world["render"]:
        text = api.autoinstallgen.generate_autoinstall_for_system(name)
        if name in world["show"]:
            texts[name] = text
    return {
        "version": api.version(),
        "refused": refused,
        "blended": blended,
        "texts": texts,
        "entered_seconds": entered,
        "rendered_seconds": time.monotonic() - began,
        "processor_seconds": time.process_time() - processor,
    }


if __name__ == "__main__":
    main()
