/** Where to go after signing in: a path of this application, whatever an address says. */
export function localPath(path: string | null): string {
  return path && /^\/(?![/\\])/.test(path) && !path.startsWith('/sign-in') ? path : '/';
}
