/** The nonce of this page, which the backend writes into it: without, no style sheet may be added. */
export function styleNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
}

declare global {
  interface Window {
    /** Read by the library that locks scrolling behind dialogs. */
    __webpack_nonce__?: string;
  }
}

window.__webpack_nonce__ = styleNonce();
