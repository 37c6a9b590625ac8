import type { Image } from './chat';

const LARGEST = 5 * 1024 * 1024;

/** A picture as a data: URL. Rejects with words for people when it is too large. */
export function readImage(file: File): Promise<Image> {
  if (file.size > LARGEST) return Promise.reject(new Error(`${file.name} is larger than 5 MB.`));
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ name: file.name, url: reader.result as string });
    reader.onerror = () => reject(new Error(`${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });
}
