/** Signing in at a provider in a window of its own, so that the page behind the dialog stays as it is. */

const CHANNEL = 'signed-in';
/** Where the provider's window ends up. */
export const DONE_PATH = '/signed-in';

export function oidcUrl(returnTo: string): string {
  return `/sign-in/oidc?return_to=${encodeURIComponent(returnTo)}`;
}

/** Calls `done` when the window has come back signed in. */
export function onSignedIn(done: () => void): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = done;
  return () => channel.close();
}

export function tellSignedIn(): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage('');
  channel.close();
}
