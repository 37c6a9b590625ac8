/** The address of a secret: the slashes of its path stay. */
export const secretUrl = (path: string): string =>
  `/api/secrets/${path.split('/').map(encodeURIComponent).join('/')}`;
