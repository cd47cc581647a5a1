// Path segments that some servers take for `.` or `..` and others for names.

/**
 * True for a segment of a path that is not written `.` or `..` but is read so by a server that decodes it or drops path
 * parameters (RFC 3986, 3.3): `%2e%2e`, `..;x`, `..%2fx`, `x%5c..`.
 */
export function isDisguisedDotSegment(segment: string): boolean {
  if (segment === "." || segment === "..") return false;
  return segment.split(/%2f|%5c/iu).some((part) => {
    const [name = ""] = part.replaceAll(/%2e/giu, ".").split(/;|%3b/iu, 1);
    return name === "." || name === "..";
  });
}
