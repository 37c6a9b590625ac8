import '@llm-platform/shared/styles.css';
import { start } from '@llm-platform/shared';

start({ product: 'LLM Platform', otherLabel: 'Administration', navigation: [], pages: [] });
