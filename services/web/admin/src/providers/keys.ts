/** Where the key of a provider is kept. */
export const keyPath = (provider: string): string => `llm/${provider}/api_key`;
