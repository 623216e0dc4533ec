"""The list of a container's blobs, in pages.

https://learn.microsoft.com/rest/api/storageservices/enumerating-blob-resources
"""

import re
from email.utils import formatdate
from xml.etree import ElementTree

from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.arm.store import Blob, Store
from azureml_emulator.resources.conditions import etag

MOST = 5000  # blobs and folders in one page, whatever is asked for


async def answer(store: Store, call: Call) -> Reply:
    """By name; with a delimiter, what is below it comes as one BlobPrefix. A marker is where a page begins."""
    if "startFrom" in call.query:
        raise BadRequest("startFrom isn't emulated.", "UnsupportedQueryParameter")
    prefix, delimiter, size = call.query.get("prefix", ""), call.query.get("delimiter"), _page_size(call)
    found: dict[str, Blob | None] = {}
    for blob in store.blobs(call["container"], prefix):
        head, folder, _ = blob.name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        found |= {prefix + head + folder: None} if folder else {blob.name: blob}
    names = [name for name in found if name >= call.query.get("marker", "")]
    root = ElementTree.Element("EnumerationResults", ContainerName=call["container"])
    for name in ("Prefix", "Marker", "MaxResults", "Delimiter"):  # of which the SDK asks for the next page
        if (given := call.query.get(name.lower(), "")) and given.isprintable():
            ElementTree.SubElement(root, name).text = given
    blobs, described = ElementTree.SubElement(root, "Blobs"), "metadata" in call.query.get("include", "").split(",")
    for name in names[:size]:
        if item := found[name]:
            _list_item(blobs, item, described)
        else:
            ElementTree.SubElement(ElementTree.SubElement(blobs, "BlobPrefix"), "Name").text = name
    ElementTree.SubElement(root, "NextMarker").text = "".join(names[size : size + 1])
    return Reply(ElementTree.tostring(root, "utf-8", xml_declaration=True), headers={"Content-Type": "application/xml"})


def _page_size(call: Call) -> int:
    given = call.query.get("maxresults", str(MOST))
    if not re.fullmatch(r"-?\d{1,9}", given, re.ASCII):
        raise BadRequest(f"maxresults must be a whole number, not {given!r}.", "InvalidQueryParameterValue")
    if int(given) < 1:
        raise BadRequest(f"maxresults must be at least 1, not {given}.", "OutOfRangeQueryParameterValue")
    return min(int(given), MOST)


def _list_item(blobs: ElementTree.Element, blob: Blob, described: bool) -> None:
    item = ElementTree.SubElement(blobs, "Blob")
    ElementTree.SubElement(item, "Name").text = blob.name
    properties = ElementTree.SubElement(item, "Properties")
    ElementTree.SubElement(properties, "Last-Modified").text = formatdate(blob.modified, usegmt=True)
    ElementTree.SubElement(properties, "Etag").text = etag(blob).strip('"')
    ElementTree.SubElement(properties, "Content-Length").text = str(blob.size)
    ElementTree.SubElement(properties, "BlobType").text = "BlockBlob"
    ElementTree.SubElement(properties, "LeaseStatus").text = "unlocked"
    ElementTree.SubElement(properties, "LeaseState").text = "available"
    metadata = ElementTree.SubElement(item, "Metadata")
    for key, value in blob.metadata.items():
        if "-" in key or described:
            ElementTree.SubElement(properties if "-" in key else metadata, key).text = value
